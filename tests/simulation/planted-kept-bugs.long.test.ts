import { catchBugs } from "./catch-bugs.ts";
import { plantedKeptBugs } from "./kept/planted-kept-bugs.ts";

catchBugs(
  plantedKeptBugs.map((bug) => ({ always: [], ...bug })),
  200,
);
