import { playSeeds } from "./play-seeds.ts";

playSeeds({ first: 41, count: 460 });
