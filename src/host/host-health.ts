/**
 * The state of a host for probes. `store-lost`: its state store can't be used. `isolated`: it has lost touch with its cluster. A host is ready only
 * while it is `serving`.
 */
export type HostHealth = "starting" | "serving" | "draining" | "stopped" | "store-lost" | "isolated";
