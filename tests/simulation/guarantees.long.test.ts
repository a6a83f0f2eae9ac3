import { playSeeds } from "./play-seeds.ts";

playSeeds({ first: 101, count: 400 });
