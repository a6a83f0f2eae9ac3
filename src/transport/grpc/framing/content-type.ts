/** The content-type both sides send. */
export const GRPC_CONTENT_TYPE = "application/grpc";

/** True for `application/grpc`, `application/grpc+proto` and the like; false for gRPC-Web and everything else. */
export function isGrpcContentType(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc(?:[+;]|$)/i.test(contentType.trim());
}
