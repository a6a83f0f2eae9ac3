import { playSeeds } from "./play-seeds.ts";

playSeeds({ first: 201, count: 1_800 });
