import {
  type AgentName,
  type Commit,
  type CommitOutcome,
  type FullMail,
  fullReason,
  type Mail,
  type MailBounds,
  mailboxTooSmall,
  mailLimitText,
  mailShareOf,
  ownReminderPrefix,
  type RunChange,
  type Settlements,
  shardOf,
  sortMail,
  storeLimits,
  withLeftMail,
} from "../../core/internal.ts";
import { idOfAgent, idOfMail, idOfMessage, idOfType } from "./agent-id.ts";

/** A commit or a settlement as `write_group` takes it. */
export interface EncodedWrite {
  /** Ids of the agents whose rows it may change. */
  readonly agents: readonly string[];
  /** Whether it changes the table of mail. */
  readonly touchesMail: boolean;
  /** Of its epoch; 0: it has none. */
  readonly generation: number;
  /** Everything but texts of users and bytes. */
  readonly fields: object;
  /** The field `mail` as JSON, if there is much of it. */
  readonly mailJson?: string;
  /** Ids of the receivers of a commit's mail. */
  readonly receivers?: readonly string[];
  /** Texts and bytes; `fields` names them as [offset, length]. */
  readonly bytes: Buffer;
}

type Slice = readonly [offset: number, length: number];
const noSlice: Slice = [0, 0];

/** Gathers texts and bytes. What it takes is copied by `joined`. */
export class ByteList {
  readonly #parts: Uint8Array[] = [];
  /** How many parts are copies. */
  #copied = 0;
  #length = 0;

  add(part: Uint8Array | string): Slice {
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    const slice = [this.#length, bytes.length] as const;
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return slice;
  }

  /** Copies what it has taken. */
  copy(): void {
    this.#parts.push(Buffer.concat(this.#parts.splice(this.#copied)));
    this.#copied = this.#parts.length;
  }

  joined(): Buffer {
    return Buffer.concat(this.#parts, this.#length);
  }
}

/** Matches the eTags that a store makes. No other text is one. */
const eTagPattern = /^[0-9a-z]+-[0-9a-z]+$/;

/** The time and the limits with which a commit is encoded. */
export interface CommitMoment {
  /** Wall clock. */
  readonly nowMs: number;
  readonly bounds: MailBounds;
  /** Whether the mail is in mailboxes, and no outbox. */
  readonly hasMailboxes: boolean;
}

/** Bounds in the order of the function `full_mail`. An outbox has no bound of a mailbox. */
export function mostMail(bounds: MailBounds, hasMailboxes = true): readonly (number | null)[] {
  const { mailboxMessages, mailboxBytes, bytes } = bounds;
  const whole = (value: number) => (value === Number.POSITIVE_INFINITY ? null : toWhole(value));
  const box = hasMailboxes ? [whole(mailboxMessages), whole(mailboxBytes)] : [null, null];
  return [...box, whole(mailShareOf(bounds)), whole(bytes)];
}

/** Messages that one slice of work encodes. */
const mailOfSlice = 256;

/** Whether a commit has so much mail that it is to be encoded in slices. */
export function hasMuchMail({ mail }: Commit): boolean {
  return mail.length > mailOfSlice;
}

/** Encodes a commit, with copies of its bytes. Between slices of much mail it yields; the bytes are copied before that. */
export function* encodeCommit(
  commit: Commit,
  { nowMs, bounds, hasMailboxes }: CommitMoment,
): Generator<void, EncodedWrite> {
  const { agent, epoch, expected, write, reminders, mail, remembered, runs = [] } = commit;
  const bytes = new ByteList();
  const id = idOfAgent(agent);
  const fields: Record<string, unknown> = { agent: id, kind: write.at, now: toWhole(nowMs), expected: expected.at };
  if (epoch !== undefined) fields.epoch = [epoch.generation, epoch.era, epoch.number].map(toWhole);
  // The server compares this text; one that it can't have sent becomes empty.
  if (expected.at === "version") fields.version = eTagPattern.test(expected.eTag) ? expected.eTag : "";
  if (write.at === "put" || reminders.length > 0 || mail.length > 0 || runs.length > 0) {
    fields.type = bytes.add(agent.type);
    fields.key = bytes.add(agent.key);
  }
  if (write.at === "put") {
    fields.schemaVersion = write.schemaVersion;
    fields.contentType = bytes.add(write.contentType);
    fields.data = bytes.add(write.data);
  }
  if (reminders.length > 0) Object.assign(fields, encodeReminders(commit, bytes));
  if (mail.length > 0) {
    if (mail.some(({ isOnce }) => isOnce === true)) fields.forget = toWhole(nowMs - storeLimits.mailIdMs);
    fields.most = mostMail(bounds, hasMailboxes);
  }
  if (remembered.length > 0) {
    fields.remembered = remembered.map((one) => {
      const message = idOfMessage(one.principal, one.id);
      return one.answer === undefined ? { message } : { message, answer: bytes.add(one.answer) };
    });
    if (remembered.some(({ answer }) => answer !== undefined)) fields.answers = true;
    if (remembered.some(({ answer }) => answer === undefined)) fields.ids = true;
  }
  if (runs.length > 0) {
    fields.runs = runs.map((change) => encodeRunChange(change, bytes));
    if (runs.some(({ at }) => at === "create")) fields.createsRuns = true;
  }
  const { mailJson, receivers, ...mailFields } = yield* encodeAllMail(mail, bytes, hasMailboxes);
  Object.assign(fields, mailFields);
  const hasEffects = reminders.length > 0 || mail.length > 0 || remembered.length > 0 || runs.length > 0;
  if (write.at === "keep" && !hasEffects) fields.fences = true;
  return {
    // Publishers of one mailbox may be several: no other group writes to it meanwhile, so that its messages keep their order.
    agents: [id, ...receivers.filter((_, index) => mail[index]?.isOnce === true)],
    receivers,
    ...(mailJson !== undefined && { mailJson }),
    touchesMail: mail.length > 0 || write.at === "delete",
    generation: epoch?.generation ?? 0,
    fields,
    bytes: bytes.joined(),
  };
}

/** The mail of a commit: as a field, or as JSON if there is much. */
interface EncodedMail {
  readonly mail?: readonly object[];
  readonly mailJson?: string;
  readonly receivers: readonly string[];
}

function* encodeAllMail(mail: readonly Mail[], bytes: ByteList, hasMailboxes: boolean): Generator<void, EncodedMail> {
  if (mail.length === 0) return { receivers: [] };
  const receivers: string[] = [];
  const encode = (one: Mail, frame: Slice): object => {
    const receiver = idOfAgent(one.receiver);
    receivers.push(receiver);
    return {
      ...{ receiver, kind: one.kind, id: bytes.add(one.id), frame },
      ...encodeName(one.receiver, bytes),
      typeId: idOfType(one.receiver.type),
      ...(hasMailboxes && one.whenFull === "bury" && { buries: bytes.add(fullReason(one.receiver).text) }),
      ...(one.isOnce === true && { once: idOfMail(one.receiver, one.id) }),
    };
  };
  if (mail.length <= mailOfSlice) return { mail: mail.map((one) => encode(one, bytes.add(one.frame))), receivers };
  const frames = mail.map(({ frame }) => bytes.add(frame));
  bytes.copy();
  const texts: string[] = [];
  for (let from = 0; from < mail.length; from += mailOfSlice) {
    yield;
    const slice = mail.slice(from, from + mailOfSlice);
    const encoded = slice.map((one, index) => encode(one, frames[from + index] ?? noSlice));
    bytes.copy();
    texts.push(JSON.stringify(encoded).slice(1, -1));
  }
  return { mailJson: `[${texts.join(",")}]`, receivers };
}

/** Encodes what became of reminders and mail. */
export function encodeSettlements({ ticks, mail }: Settlements): EncodedWrite {
  const bytes = new ByteList();
  const agents = ticks.map(({ agent }) => idOfAgent(agent));
  const fields = {
    ticks: ticks.map(({ name, seq, nextDueMs, attempts, rule }, index) => {
      const due = nextDueMs === undefined ? null : toWhole(nextDueMs);
      const newRule = rule === undefined ? {} : { rule: bytes.add(rule) };
      return { agent: agents[index], name: bytes.add(name), seq, due, attempts, ...newRule };
    }),
    mail: mail.map(({ place, nextMs, attempts }) => {
      return { place, next: nextMs === undefined ? null : toWhole(nextMs), attempts };
    }),
  };
  return { agents, touchesMail: mail.length > 0, generation: 0, fields, bytes: bytes.joined() };
}

/**
 * The times up to which a group forgets what the log has kept: ids of messages, dead letters, and runs that have ended. Ids from `lateIdsMs` on were kept before
 * the clock was set back: they are forgotten, too.
 */
export type ForgetLog = readonly [mailIdsMs: number, lettersMs: number, lateIdsMs: number, runsMs: number];

/** A group as `write_group` takes it. */
export interface EncodedGroup {
  readonly json: string;
  readonly bytes: Buffer;
}

/** Encodes the writes of one group. `makeETag` is asked for each that puts a record. */
export function encodeGroup(
  writes: readonly EncodedWrite[],
  makeETag: () => string,
  forgetLog: ForgetLog | undefined,
): EncodedGroup {
  let base = 1;
  const fields = writes.map((write, index) => {
    const isPut = "kind" in write.fields && write.fields.kind === "put";
    const all = {
      ...write.fields,
      base,
      ...(isPut ? { etag: makeETag() } : {}),
      ...(index === 0 ? { forgetLog } : {}),
    };
    base += write.bytes.length;
    return all;
  });
  const texts = fields.map((all, index) => withMail(JSON.stringify(all), writes[index]?.mailJson));
  return { json: `[${texts.join(",")}]`, bytes: Buffer.concat(writes.map(({ bytes }) => bytes)) };
}

/** Adds a field to an object in JSON that has others. */
function withMail(json: string, mailJson: string | undefined): string {
  return mailJson === undefined ? json : `${json.slice(0, -1)},"mail":${mailJson}}`;
}

function encodeReminders({ agent, reminders }: Commit, bytes: ByteList): object {
  const isSetAtLast = new Map(reminders.map(({ name, at }) => [name, at === "set"]));
  const counted = [...isSetAtLast].filter(([name, isSet]) => isSet && !name.startsWith(ownReminderPrefix)).length;
  return {
    shard: shardOf(agent),
    ...(reminders.some(({ at }) => at === "set") ? { newReminders: counted } : {}),
    reminders: reminders.map((change) => {
      const name = bytes.add(change.name);
      if (change.at === "cancel") return { name };
      return { name, due: toWhole(change.dueMs), rule: bytes.add(change.rule), message: bytes.add(change.message) };
    }),
  };
}

function encodeRunChange(change: RunChange, bytes: ByteList): object {
  const named = { at: change.at, id: bytes.add(change.id) };
  switch (change.at) {
    case "create": {
      const { principal, owner, depth, startedAtMs, deadlineMs, keepMs, message } = change;
      const texts = { principal: bytes.add(principal), owner: bytes.add(owner), message: bytes.add(message) };
      const times = { started: toWhole(startedAtMs), keep: toWhole(keepMs) };
      const deadline = deadlineMs === undefined ? {} : { deadline: toWhole(deadlineMs) };
      return { ...named, ...texts, ...times, ...deadline, depth };
    }
    case "append":
      return { ...named, from: change.from, chunks: change.chunks.map((chunk) => bytes.add(chunk)) };
    case "end":
      return { ...named, status: change.status, outcome: bytes.add(change.outcome) };
    default:
      return named;
  }
}

/** Encodes a name with its shard. */
export function encodeName(agent: AgentName, bytes: ByteList): object {
  return { type: bytes.add(agent.type), key: bytes.add(agent.key), shard: shardOf(agent) };
}

/** PostgreSQL keeps whole numbers; larger ones than JavaScript's whole numbers end there. */
export function toWhole(value: number): number {
  return Math.round(Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER));
}

/** Returns the ids of agents that a write may change. */
export function agentsOf(writes: readonly EncodedWrite[]): readonly string[] {
  return writes.flatMap(({ agents }) => agents);
}

/** Reads a result of `write_group` for a commit. */
export function decodeOutcome(
  result: unknown,
  { mail, runs = [] }: Commit,
  { bounds, receivers }: { readonly bounds: MailBounds; readonly receivers: readonly string[] },
): CommitOutcome {
  if (!Array.isArray(result)) {
    // A commit that PostgreSQL has refused for a limit of its own.
    return { at: "refused", limit: (result as { readonly refused: string }).refused };
  }
  const [code, first, second, third, fourth = []] = result;
  switch (code) {
    case 0:
      return third === undefined
        ? { at: "committed", eTag: first, revision: second }
        : withLeftMail(
            { at: "committed", eTag: first, revision: second },
            { known: third, buried: sortMail(mail, third, fourth).buriedIndexes, forgotten: 0 },
          );
    case 1:
      return { at: "conflict", eTag: first ?? undefined, ...(second !== undefined && { run: runs[second]?.id }) };
    case 2:
      return { at: "stale", epoch: { generation: first, era: second, number: third } };
    case 4:
      return fullOutcome(
        mail.filter((_, index) => receivers[index] === first),
        second,
        bounds,
      );
    case 5:
      return { at: "refused", limit: `${storeLimits.runs} runs of one agent that work` };
    default:
      return { at: "refused", limit: `${storeLimits.reminders} reminders of one agent` };
  }
}

function fullOutcome(ofMailbox: readonly Mail[], full: FullMail | "too-long", bounds: MailBounds): CommitOutcome {
  const mailbox = ofMailbox[0]?.receiver;
  if (full !== "too-long") return { at: "refused", limit: mailLimitText(full, bounds), isMailboxFull: true, mailbox };
  const longest = ofMailbox.reduce((most, { frame }) => Math.max(most, frame.length), 0);
  return { at: "refused", limit: mailboxTooSmall(longest, bounds) ?? "bytes of one mailbox", mailbox };
}
