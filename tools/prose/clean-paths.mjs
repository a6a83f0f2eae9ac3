// The files whose texts keep the style, from the project's folder. A path that ends in `/` is a folder with all below it.
// A folder that has been rewritten is added here; `npm run prose -- <path>` shows what is left to do in one that is not.

export const cleanPaths = [];
