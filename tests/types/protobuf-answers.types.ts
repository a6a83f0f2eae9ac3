// Compiled by `npm run check`, never run: each `@ts-expect-error` is a promise that a mistake does not compile.
import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { AgentId, type AgentRuntime, handlerTable, type MessageOf, RoutedAgent } from "troupe";
import { protobufMessage } from "troupe/protobuf";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function exactly<Expected, Actual>(verdict: Same<Expected, Actual>): void;
declare const runtime: AgentRuntime;
const clock = new AgentId("clock", "utc");

const duration = protobufMessage(DurationSchema);
const timestamp = protobufMessage(TimestampSchema, { answer: duration });

// A call with a value that its type has made is typed by its answer.
const ago = await runtime.sendMessage(timestamp.create({ seconds: 1n }), clock);
exactly<Duration, typeof ago>(true);
const noAnswer = await runtime.sendMessage(duration.create(), clock);
exactly<unknown, typeof noAnswer>(true);

// One of protobuf-es's own is typed by the option.
const unnamed = await runtime.sendMessage(create(TimestampSchema), clock);
exactly<unknown, typeof unnamed>(true);
const named = await runtime.sendMessage(create(TimestampSchema), clock, { answer: duration });
exactly<Duration, typeof named>(true);

// What it makes is a message like any other.
export const same: Timestamp = timestamp.create();
exactly<Timestamp, MessageOf<typeof timestamp>>(true);
// @ts-expect-error a field that the schema lacks
timestamp.create({ hours: 1 });

export class Clock extends RoutedAgent {
  static override readonly handlers = handlerTable<Clock>().rpc(timestamp, (at) => {
    exactly<Timestamp, typeof at>(true);
    return duration.create({ seconds: at.seconds });
  });
}
