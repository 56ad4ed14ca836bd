// The client of `mcpproxy record` for `import`: the same one implementation.
import client from "./record.cjs";

export const { record } = client;
