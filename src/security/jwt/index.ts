/**
 * JSON Web Tokens of OpenID Connect issuers, for the option `authenticator` of a host. Needs the package `jose`.
 *
 * @example
 * ```ts
 * import { GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
 * import { jwtAuthenticator } from "troupe/security/jwt";
 *
 * const authenticator = jwtAuthenticator({
 *   issuer: "https://login.example",
 *   audience: "troupe",
 *   keys: "https://login.example/jwks.json",
 * });
 * await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { authenticator });
 * ```
 *
 * @packageDocumentation
 */

export type { JsonWebKeySet, JwtAuthenticatorOptions } from "./jwt-authenticator.ts";
export { jwtAuthenticator } from "./jwt-authenticator.ts";
