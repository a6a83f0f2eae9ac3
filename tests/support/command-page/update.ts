// `npm run command-page`: writes the help of all commands into docs/guide/commands.md.
import { writeFileSync } from "node:fs";
import { pageFile, pageOfNow } from "./page.ts";

writeFileSync(pageFile, pageOfNow());
