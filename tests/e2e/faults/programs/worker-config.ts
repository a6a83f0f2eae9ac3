/** What a worker program hosts and how it connects; written by the test, read from its command line. */
export interface WorkerConfig {
  readonly address: string;
  /** For the contents of its calls. Default its process id. */
  readonly name?: string;
  /** How many runtimes it runs; the names of agent types end in `-0`, `-1`, … if there are several. Default 1. */
  readonly runtimes?: number;
  /** Agent types that answer, that never do, and that take the events of a topic of their own name. */
  readonly echoes?: readonly string[];
  readonly holders?: readonly string[];
  readonly readers?: readonly { readonly type: string; readonly topic: string }[];
  /** Handed to the runtime as they are. */
  readonly options?: object;
}
