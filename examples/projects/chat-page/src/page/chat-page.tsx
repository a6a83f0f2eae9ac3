import { useChat } from "@ai-sdk/react";
import type { UIMessage } from "ai";
import { type FormEvent, useEffect, useState } from "react";
import type { OpenChat } from "./open-chat.ts";

export function ChatPage({ open }: { readonly open: OpenChat }) {
  const { messages, status, error } = useChat({ chat: open.chat });
  const [text, setText] = useState("");
  const isAnswering = status === "submitted" || status === "streaming";

  useEffect(() => {
    const leaving = new AbortController();
    open.follow(leaving.signal).catch((error: unknown) => {
      if (!leaving.signal.aborted) console.error(error);
    });
    return () => leaving.abort();
  }, [open]);

  function send(event: FormEvent) {
    event.preventDefault();
    void open.ask(text);
    setText("");
  }

  return (
    <>
      <h1>A trip</h1>
      <div role="log" aria-label="Chat">
        {messages.map((message) => (
          <article key={message.id} aria-label={message.role === "user" ? "You" : "Concierge"}>
            <b>{message.role === "user" ? "You" : "Concierge"}</b>
            <Parts message={message} />
          </article>
        ))}
      </div>
      {error !== undefined && (
        <p role="alert">
          {error.message}{" "}
          <button type="button" onClick={() => void open.askAgain()}>
            Ask again
          </button>
        </p>
      )}
      <form onSubmit={send}>
        <input aria-label="Message" value={text} onChange={({ target }) => setText(target.value)} />
        <button type="submit" disabled={isAnswering || text.trim() === ""}>
          Send
        </button>
        <button type="button" disabled={!isAnswering} onClick={() => void open.stop()}>
          Stop
        </button>
        <output>{isAnswering ? "answering" : "ready"}</output>
      </form>
    </>
  );
}

function Parts({ message }: { readonly message: UIMessage }) {
  return message.parts.map((part, at) => {
    // Parts have no ids of their own, and never change their places.
    const key = `${message.id}-${at}`;
    if (part.type === "text") return <p key={key}>{part.text}</p>;
    if (!part.type.startsWith("tool-") || !("state" in part)) return null;
    const name = part.type.slice("tool-".length);
    const said = saidBy(message, "toolCallId" in part ? part.toolCallId : "");
    const state = part.state === "output-available" ? "has answered" : "is asked";
    return (
      <p key={key}>
        <small>
          The {name} {state}
          {said === "" ? "." : `: ${said}`}
        </small>
      </p>
    );
  });
}

/** Returns the text that an asked agent has written so far. Its own parts come inside of parts `data-agent`. */
function saidBy({ parts }: UIMessage, toolCallId: string): string {
  let text = "";
  for (const outer of parts) {
    if (outer.type !== "data-agent") continue;
    // `agentTool` sends these fields.
    const { toolCallId: of, part } = outer.data as { toolCallId: string; part: { type: string; delta?: string } };
    if (of !== toolCallId) continue;
    // An agent that is asked again, after its caller was lost, begins again.
    if (part.type === "start") text = "";
    if (part.type === "text-delta") text += part.delta ?? "";
  }
  return text;
}
