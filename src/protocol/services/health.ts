import { create, toBinary } from "@bufbuild/protobuf";
import { fromBinary, parsing } from "../frames/from-binary.ts";
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from "../gen/grpc/health/v1/health_pb.ts";

/** Names of gRPC's health service. */
export const health = { serviceName: "grpc.health.v1.Health", check: "Check", list: "List", watch: "Watch" } as const;

/** State of a service, as health checks see it. */
export type ServingStatus = "serving" | "not-serving" | "service-unknown";

const numbers: { readonly [status in ServingStatus]: Status } = {
  serving: Status.SERVING,
  "not-serving": Status.NOT_SERVING,
  "service-unknown": Status.SERVICE_UNKNOWN,
};

/** Returns the name of the service that is asked for; empty: the whole server. Throws `invalid-message`. */
export function decodeHealthCheckRequest(bytes: Uint8Array): string {
  return parsing("a health check", () => fromBinary(HealthCheckRequestSchema, bytes).service);
}

export function encodeHealthCheckResponse(status: ServingStatus): Uint8Array {
  return toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status: numbers[status] }));
}

export function encodeHealthListResponse(services: readonly string[], status: ServingStatus): Uint8Array {
  const one = create(HealthCheckResponseSchema, { status: numbers[status] });
  const statuses = Object.fromEntries(services.map((service) => [service, one]));
  return toBinary(HealthListResponseSchema, create(HealthListResponseSchema, { statuses }));
}
