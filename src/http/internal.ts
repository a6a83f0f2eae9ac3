// What other rooms and tests use of this room. It has no index.ts: users reach it through what is built on it.
export { BearerToken } from "./bearer-token.ts";
export { type ReceivedEvent, readCloudEvent, typeInHeaders } from "./cloud-events.ts";
export { isLoopbackName } from "./exchange.ts";
export { type HttpCaller, principalAdmission, tokenAdmission } from "./http-admission.ts";
export { httpLimits } from "./http-limits.ts";
export { formatProblem, HttpProblem, problemType, statusOf } from "./http-problem.ts";
export type { HttpRequest, HttpRequestHead, HttpRoute, PublicFiles, RequestAccount } from "./http-route.ts";
export { HttpText } from "./http-route.ts";
export { HttpServer, type HttpTls } from "./http-server.ts";
export { HttpStream } from "./http-stream.ts";
export { RequestQuery } from "./request-query.ts";
