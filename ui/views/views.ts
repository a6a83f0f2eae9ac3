import type { Component } from "svelte";
import Agents from "./Agents.svelte";
import Failures from "./Failures.svelte";
import Live from "./Live.svelte";
import NotFound from "./NotFound.svelte";
import Overview from "./Overview.svelte";
import Send from "./Send.svelte";
import Traces from "./Traces.svelte";
import Workers from "./Workers.svelte";

export interface View {
  readonly name: string;
  readonly title: string;
  /** The key that leads here, after `g`. */
  readonly key: string;
  readonly component: Component;
}

/** The views of the navigation, in its order. */
export const views: readonly View[] = [
  { name: "overview", title: "Overview", key: "o", component: Overview },
  { name: "workers", title: "Workers", key: "w", component: Workers },
  { name: "agents", title: "Agents", key: "a", component: Agents },
  { name: "send", title: "Send", key: "s", component: Send },
  { name: "live", title: "Live messages", key: "l", component: Live },
  { name: "traces", title: "Traces", key: "t", component: Traces },
  { name: "failures", title: "Failures", key: "f", component: Failures },
];

const notFound: View = { name: "", title: "Not found", key: "", component: NotFound };

export function viewOf(name: string): View {
  return views.find((view) => view.name === name) ?? notFound;
}
