import { playSeeds } from "./play-seeds.ts";

// guarantees.long.test.ts plays more, `npm run simulate` as many as you like.
playSeeds({ first: 1, count: 40 });
