import {
  anyTime,
  assertKind,
  assertOptions,
  number,
  type OptionKind,
  type OptionKinds,
  type OptionShape,
  optionShape,
  TroupeError,
  word,
  wrongValue,
} from "../../core/internal.ts";
import { type Fault, type FaultKind, type FaultStep, faultKinds } from "./fault.ts";

const kind = word(...faultKinds);
const direction = word("to-target", "to-client");
const ms = number(anyTime);
const count: OptionKind = {
  expected: "a whole number of at least 0",
  accepts: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
};
const lasting = { kind, in: direction, forMs: ms };

type FaultOf<Kind extends FaultKind> = Extract<Fault, { readonly kind: Kind }>;

const shapes: { readonly [Kind in FaultKind]: OptionShape } = {
  delay: optionShape<FaultOf<"delay">>({ ...lasting, delayMs: ms, jitterMs: ms }),
  throttle: optionShape<FaultOf<"throttle">>({ ...lasting, bytesPerSecond: number({ from: 1 }) }),
  stall: optionShape<FaultOf<"stall">>(lasting),
  drop: optionShape<FaultOf<"drop">>(lasting),
  "half-close": optionShape<FaultOf<"half-close">>({ kind, in: direction }),
  close: optionShape<FaultOf<"close">>({ kind }),
  reset: optionShape<FaultOf<"reset">>({ kind }),
  refuse: optionShape<FaultOf<"refuse">>({ kind, forMs: ms }),
  heal: optionShape<FaultOf<"heal">>({ kind }),
};

/** Fields without which a fault of the kind does nothing. */
const needed: { readonly [Kind in FaultKind]?: string } = {
  delay: "delayMs",
  throttle: "bytesPerSecond",
  "half-close": "in",
};

const stepKinds: OptionKinds<FaultStep> = {
  fault: { expected: "a fault", accepts: () => true },
  connection: count,
  afterMs: ms,
  afterBytes: count,
  of: direction,
};
const stepShape = optionShape<FaultStep>(stepKinds);

const applyShape = optionShape<{ readonly connection?: number | undefined }>({ connection: count });

/** Throws `invalid-argument` for a value that is not a fault. `subject` begins the text. */
export function assertFault(fault: unknown, subject: string): void {
  if (!isObject(fault)) throw wrongValue(`${subject} must be an object with a kind, { kind: "reset" }`, fault);
  const given = faultKinds.find((one) => one === Reflect.get(fault, "kind"));
  if (given === undefined)
    throw wrongValue(`The kind of ${lowered(subject)} must be ${kind.expected}`, Reflect.get(fault, "kind"));
  assertOptions(fault, shapes[given], `A fault of the kind ${given}`);
  const field = needed[given];
  if (field === undefined || Reflect.get(fault, field) !== undefined) return;
  throw new TroupeError("invalid-argument", `${subject} is a ${given}, which needs a field ${field}.`);
}

/** Throws `invalid-argument` for a kind of faults that there is not. */
export function assertFaultKind(given: unknown): void {
  assertKind("kind", given, kind);
}

/** Throws `invalid-argument` for options of `apply` that it does not know. */
export function assertApplyOptions(options: unknown): void {
  assertOptions(options, applyShape, "apply");
}

/** A step of a script. */
export const faultStep: OptionKind = {
  expected: 'a step of a script, { fault: { kind: "reset" }, afterMs: 100 }',
  accepts: isObject,
  assertInside: (step, name) => {
    assertOptions(step, stepShape, `The step ${name}`);
    assertFault(Reflect.get(step, "fault"), `The fault of ${name}`);
  },
};

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function lowered(subject: string): string {
  return subject.replace(/^(?:A|The) /, (article) => article.toLowerCase());
}
