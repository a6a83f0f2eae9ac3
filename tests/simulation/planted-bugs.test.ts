import { catchBugs } from "./catch-bugs.ts";
import { plantedBugs } from "./planted-bugs.ts";

catchBugs(plantedBugs, 30);
