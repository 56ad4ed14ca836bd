/** What is counted, and who receives it. */
export interface RecordOptions {
  /** The name of the package whose installs are counted; `@scope/name` is fine. */
  product: string;
  /** Its version. */
  version?: string;
  /** Where heartbeats go, such as `https://t.example.org`. Without one, installs are counted on their machine alone. */
  endpoint?: string;
  /** Sends nothing before a person could see the notice. */
  requireVisibleNotice?: boolean;
  /** Counts the sessions of clients on other machines as well. */
  countRemote?: boolean;
}

/** One session of a client with the host. Nothing here waits or throws. */
export interface Session {
  /** The client introduced itself, by `clientInfo`. Its version stays in this process. */
  clientSeen(name: string, version?: string): void;
  /** The server answered it for the first time. */
  serverConnected(): void;
  /** A tool that finds tools was called: how many it returned, of how many it searched. */
  discovery(counts?: { returned?: number; indexed?: number }): void;
  /** Any other tool was called; `ok` says that it returned a result and no error. */
  call(outcome: { ok: boolean }): void;
  end(): void;
}

export interface Recorder {
  /** How many events were dropped, because the recorder was too slow or has ended. */
  readonly dropped: number;
  /** `local`: the client runs on this machine, for the user of this process. Other sessions do not count. */
  session(options?: { local?: boolean }): Session;
  /** The host ends as it was meant to. Nothing is recorded after this. */
  close(): void;
}

/** Starts `mcpproxy record`, once for each process. Does nothing without a binary or when the environment objects. */
export function record(options: RecordOptions): Recorder;
