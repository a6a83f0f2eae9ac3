/** Number of workers and agents. Every agent receives every event; each worker is a process. */
export interface Shape {
  readonly text: string;
  readonly workers: number;
  readonly agentsPerWorker: number;
}

export const shapes: readonly Shape[] = [
  { text: "1 agent on 1 worker", workers: 1, agentsPerWorker: 1 },
  { text: "8 agents on 1 worker", workers: 1, agentsPerWorker: 8 },
  { text: "32 agents on 1 worker", workers: 1, agentsPerWorker: 32 },
  { text: "8 agents on 8 workers", workers: 8, agentsPerWorker: 1 },
  { text: "32 agents on 8 workers", workers: 8, agentsPerWorker: 4 },
];
