import type { Crowd } from "../crowd.ts";
import { channelBombs, controlWaits, gatherWorkers, publishToAll, subscribeToAll } from "./channel-messages.ts";
import { connects, cutHandshakes } from "./churn.ts";
import { halfClosedStreams, pings, rapidResets, settings, tinyData, windowUpdates } from "./http2-frames.ts";
import { commitsOfEvents, loadsAndCommits } from "./state-asks.ts";
import { bombCalls, fillWithSubscriptions, listAtOnce, registrations } from "./unary-calls.ts";

/** An attack on a host. */
export interface Flood {
  /** Prepares the host before the flood. */
  readonly prepare?: (crowd: Crowd) => Promise<void>;
  /** Starts the flood. It continues until the crowd stops. */
  readonly go: (crowd: Crowd) => void;
  /** Whether it attacks a host with TLS. Default: false. */
  readonly needsTls?: boolean;
}

/** All floods by their names. */
export const floods: Readonly<Record<string, Flood>> = {
  "900 listings of 20,000 subscriptions in one write": { prepare: fillWithSubscriptions, go: listAtOnce },
  "gzip bombs as unary calls over 1 connection": { go: bombCalls(1, 400) },
  "gzip bombs as unary calls over 20 connections": { go: bombCalls(20, 50) },
  "gzip bombs as unary calls over 100 connections": { go: bombCalls(100, 10) },
  "gzip bombs on the data channels of 20 connections": { go: channelBombs(20) },
  "registrations from 20 connections": { go: registrations(20, 900) },
  "registrations from 100 connections": { go: registrations(100, 900) },
  "registrations from 600 connections": { go: registrations(600, 200) },
  "rapid resets over 20 connections": { go: rapidResets(20) },
  "events for 2,000 workers in one chunk": { prepare: gatherWorkers, go: publishToAll },
  "control channels that end with 100,000 waits": { go: controlWaits },
  "loads and commits on the streams of states of 20 connections": { go: loadsAndCommits(20) },
  "commits of 1,000 events from 20 connections": { go: commitsOfEvents(20) },
  "half-closed streams of 20 connections": { go: halfClosedStreams(20) },
  "PING frames from 20 connections": { go: pings(20) },
  "SETTINGS frames from 20 connections": { go: settings(20) },
  "WINDOW_UPDATE frames from 20 connections": { go: windowUpdates(20) },
  "DATA frames of one byte from 20 connections": { go: tinyData(20) },
  "connects that hang up at once": { go: connects(50) },
  "TLS handshakes that are cut": { go: cutHandshakes(50), needsTls: true },
  "subscriptions to all topics that nobody serves": {
    prepare: (crowd) => subscribeToAll(crowd, { clients: 20, each: 4_000 }),
    go: () => {},
  },
};
