import { defineMessage } from "troupe";
import { z } from "zod";

export const Greeting = defineMessage("Greeting", z.object({ content: z.string() }));
export const AskToGreet = defineMessage("AskToGreet", z.object({ name: z.string() }), { answer: Greeting });

export const Total = defineMessage("Total", z.object({ value: z.number() }));
export const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });

/** A parcel for a store, which tells the agent `desk` that it has arrived. */
export const Parcel = defineMessage("Parcel", z.object({ id: z.string() }));
export const Arrived = defineMessage("Arrived", z.object({ id: z.string(), store: z.string() }));
export const StoreIs = defineMessage("StoreIs", z.object({ isOpen: z.boolean() }));
export const SetOpen = defineMessage("SetOpen", z.object({ isOpen: z.boolean() }), { answer: StoreIs });
