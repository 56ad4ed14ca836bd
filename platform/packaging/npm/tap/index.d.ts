/** What is counted, and who receives it. */
export interface TapOptions {
  /** The name of the package whose installs are counted; `@scope/name` is fine. */
  product: string;
  /** Its version: the `version` of its `package.json`. */
  version?: string;
  /** Where heartbeats go, such as `https://t.example.org`. Without one, installs are counted on their machine alone. */
  endpoint?: string;
  /** Sends nothing before a person could see the notice. */
  requireVisibleNotice?: boolean;
  /** Tools whose calls search for other tools; `retrieve_tools` when none is named. */
  discoveryTools?: readonly string[];
}

/**
 * Runs an MCP server over stdio and counts its installs. Must be awaited, and nothing may follow it.
 *
 * @param server Its module: a file URL or an absolute path. A relative path begins at the folder of the entry.
 * @returns Settles only when the server runs in this process: without a binary for this system, under Electron, in
 *   a worker, under a debugger, or when the environment objects.
 */
export function tap(server: URL | string, options: TapOptions): Promise<void>;
