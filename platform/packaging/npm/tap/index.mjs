// The launcher for `import`: the same one implementation.
import launcher from "./index.cjs";

export const { tap } = launcher;
