























































import { defineMessage, handlerTable, RoutedAgent } from "troupe";
import { z } from "zod";

const Greeting = defineMessage("Greeting", z.object({ content: z.string() }));
const AskToGreet = defineMessage("AskToGreet", z.object({ name: z.string() }), { answer: Greeting });

class Greeter extends RoutedAgent {
  static override readonly handlers = handlerTable<Greeter>().rpc(AskToGreet, (ask) =>
    Greeting({ content: `Hello, ${ask.name}!` }),
  );
}