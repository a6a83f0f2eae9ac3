/** A bug that is planted into the source of streams between hosts. */
export interface PlantedStreamBug {
  readonly name: string;
  readonly room: string;
  /** In the room. */
  readonly file: string;
  /** Text that the file has once, and what stands in its place. */
  readonly from: string;
  readonly to: string;
  /** The checker that must complain. */
  readonly caughtBy: "wire" | "streams";
}

const sendsChunk = `return this.#queue.send(encodePeerNotice(frame), use, from?.account.party ?? "");`;
const takesChunk = "if (call === undefined || isOn(link, call)) this.#take(call, call?.target, chunk);";

// protocol.md §12.2
/** Each takes one rule out. */
export const plantedStreamBugs: readonly PlantedStreamBug[] = [
  {
    ...{ name: "a chunk of another host goes to the wrong call", room: "host/calls", file: "call-chunks.ts" },
    from: takesChunk,
    to: "const other = this.before ?? call; this.before = call; if (call) this.#take(other, other?.target, chunk);",
    caughtBy: "wire",
  },
  {
    ...{ name: "a chunk goes to another host twice", room: "host/peers", file: "host-caller.ts" },
    from: sendsChunk,
    to: sendsChunk.replace("return ", "").concat(sendsChunk),
    caughtBy: "wire",
  },
  {
    ...{ name: "grants of another host are lost for good", room: "host/cluster", file: "join-others.ts" },
    from: `else if (notice.kind === "credit") calls.chunks.grant(caller, notice);`,
    to: "",
    caughtBy: "streams",
  },
  {
    ...{ name: "a chunk goes to another host behind the answer", room: "host/peers", file: "host-caller.ts" },
    from: sendsChunk,
    to: `const whole = Buffer.concat([frame.head, frame.rest]);
      new Promise((resolve) => setImmediate(resolve)).then(() => this.#queue.send(encodePeerNotice(whole), use, ""));
      return "queued";`,
    caughtBy: "streams",
  },
];
