import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
  AgentRpc,
  LoadStateRequestSchema,
  LoadStateResponseSchema,
  SaveStateRequestSchema,
  SaveStateResponseSchema,
} from "../../src/protocol/gen/agent_worker_pb.ts";
import { carriedInAny, type Generation } from "./data/published-protos.ts";
import { type PublishedField, publishedShape } from "./support/published-shape.ts";

/** How many message pairs protocol.md §1.3 counts for each revision; entries of maps and well-known types included. */
const pairCounts: readonly (readonly [Generation, number])[] = [
  [1, 22],
  [2, 26],
  [3, 28],
];

const ownByName = new Map<string, DescMessage>(
  [SaveStateRequestSchema, SaveStateResponseSchema, LoadStateRequestSchema, LoadStateResponseSchema].map((own) => [
    own.typeName,
    own,
  ]),
);

/** A message of a published revision beside the message of ours that stands in its place. */
interface Pair {
  readonly published: string;
  readonly own: DescMessage;
}

function ownMethod(name: string) {
  const own = AgentRpc.methods.find((method) => method.name === name);
  if (own === undefined) throw new Error(`our service has no method ${name}`);
  return own;
}

/** Every pair that a peer of this revision can meet: from the methods and from what travels in `Any`, downwards. */
function reachablePairs(generation: Generation): readonly Pair[] {
  const { messages, methods } = publishedShape(generation);
  const pairs = new Map<string, Pair>();
  const visit = (published: string, own: DescMessage) => {
    if (pairs.has(`${published} ${own.typeName}`)) return;
    pairs.set(`${published} ${own.typeName}`, { published, own });
    for (const field of messages.get(published) ?? []) {
      const twin = own.fields.find(({ number }) => number === field.number);
      if (field.type.startsWith("map<")) {
        pairs.set(`${published}.${field.name}`, { published: `entry of ${published}.${field.name}`, own });
      }
      const name = messageNameIn(field.type);
      const message = messageOf(twin);
      if (name !== undefined && message !== undefined) visit(name, message);
    }
  };
  for (const { name, input, output } of methods) {
    const own = ownMethod(name);
    visit(input, own.input);
    visit(output, own.output);
  }
  for (const name of carriedInAny[generation]) {
    const own = ownByName.get(name);
    if (own !== undefined) visit(name, own);
  }
  return [...pairs.values()];
}

/** The message that a field's type names, be it the value of a map. */
function messageNameIn(type: string): string | undefined {
  const value = /^map<\w+, ([\w.]+)>$/.exec(type)?.[1] ?? type;
  return value.includes(".") ? value : undefined;
}

function messageOf(field: DescField | undefined): DescMessage | undefined {
  return field?.message;
}

function describeOwn(field: DescField): PublishedField {
  return {
    number: field.number,
    name: field.name,
    oneof: field.oneof?.name,
    cardinality: field.fieldKind === "list" ? "repeated" : field.proto.proto3Optional ? "optional" : "singular",
    type: ownType(field),
  };
}

function ownType(field: DescField): string {
  const value = field.message === undefined ? scalarName(field.scalar) : field.message.typeName;
  return field.fieldKind === "map" ? `map<${scalarName(field.mapKey)}, ${value}>` : value;
}

function scalarName(scalar: ScalarType | undefined): string {
  return scalar === undefined ? "enum" : ScalarType[scalar].toLowerCase();
}

/** The type as the wire knows it: any message is just a message, since names don't travel. */
function onTheWire(field: PublishedField): PublishedField {
  return { ...field, type: field.type.replace(/agents\.\w+/, "message") };
}

describe.each(pairCounts)("the superset proto beside generation %i", (generation, count) => {
  const shape = publishedShape(generation);
  const pairs = reachablePairs(generation);

  test("has each of its methods, with the same kind of call", () => {
    for (const method of shape.methods) {
      const kind = ownMethod(method.name).methodKind;
      expect(kind, method.name).toBe(method.isStream ? "bidi_streaming" : "unary");
    }
  });

  test(`stands in for each of its ${count} reachable messages`, () => {
    expect(pairs.map(({ published, own }) => `${published} = ${own.typeName}`)).toHaveLength(count);
  });

  test("has every field with the same number, name, type, cardinality and oneof", () => {
    const differences = pairs.flatMap(({ published, own }) =>
      (shape.messages.get(published) ?? []).flatMap((field) => {
        const twin = own.fields.find(({ number }) => number === field.number);
        const found = twin === undefined ? "nothing" : JSON.stringify(onTheWire(describeOwn(twin)));
        const wanted = JSON.stringify(onTheWire(field));
        return found === wanted ? [] : [`${published} wants ${wanted}, ${own.typeName} has ${found}`];
      }),
    );
    expect(differences).toEqual([]);
  });

  test("uses each type name in Any for one shape only", () => {
    for (const name of carriedInAny[generation]) expect(ownByName.get(name)?.typeName).toBe(name);
  });
});

describe("a method of several revisions", () => {
  test("has one path in the service agents.AgentRpc", () => {
    expect(AgentRpc.typeName).toBe("agents.AgentRpc");
    const published = ([1, 2, 3] as const).flatMap((generation) =>
      publishedShape(generation).methods.map(({ name }) => name),
    );
    expect(AgentRpc.methods.map(({ name }) => name).sort()).toEqual([...new Set(published)].sort());
  });
});
