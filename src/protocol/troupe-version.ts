/** The version of this package, as package.json has it. */
export const troupeVersion = "0.1.0";
