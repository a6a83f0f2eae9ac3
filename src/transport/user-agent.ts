/** The version in package.json; a test compares them, since nothing is read when a module loads. */
const version = "0.1.0";

/** How this library names itself to gRPC peers, in the form `grpc-<language>/<version>` they expect. */
export const USER_AGENT = `grpc-troupe-js/${version}`;
