import { catchBugs } from "./catch-bugs.ts";
import { plantedLeaveBugs } from "./kept/planted-leave-bugs.ts";

catchBugs(plantedLeaveBugs, 200);
