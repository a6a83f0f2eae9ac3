import { catchBugs } from "./catch-bugs.ts";
import { plantedStreamBugs } from "./planted-stream-bugs.ts";

catchBugs(plantedStreamBugs, 60);
