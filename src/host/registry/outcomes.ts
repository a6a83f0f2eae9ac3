export type TypeOutcome = { readonly at: "registered" } | { readonly at: "taken"; readonly by: string } | Refusal;

export type SubscriptionOutcome = { readonly at: "added" } | { readonly at: "exists" } | Refusal;

/** `full`: a bound of the host's options is reached. */
export type Refusal = { readonly at: "invalid" | "full"; readonly reason: string };
