// What other rooms use of this one. index.ts holds what users use.

export { loadDriver } from "./driver.ts";
