import { defineMessage, type MessageOf, RoutedAgent, rpc } from "troupe";
import { z } from "zod";

export const Greeting = defineMessage("Greeting", z.object({ content: z.string() }));
export const AskToGreet = defineMessage("AskToGreet", z.object({ name: z.string() }), { answer: Greeting });

export class Greeter extends RoutedAgent {
  @rpc(AskToGreet)
  greet(ask: MessageOf<typeof AskToGreet>) {
    return Greeting({ content: `Hello, ${ask.name}!` });
  }
}
