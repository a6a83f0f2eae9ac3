/** Load for the host. */
export type HostLoad =
  | { readonly text: string; readonly kind: "calls"; readonly inFlight: number }
  | { readonly text: string; readonly kind: "events"; readonly workers: number };

export const hostLoads: readonly HostLoad[] = [
  ...[64, 256].map((inFlight) => ({ text: `calls, ${inFlight} in flight`, kind: "calls" as const, inFlight })),
  ...[1, 8].map((workers) => ({ text: `events to ${workers}`, kind: "events" as const, workers })),
];
