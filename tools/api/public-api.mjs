// What the package publishes, read from the declarations that a build would emit. Nothing is written to disk.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { root } from "../run.mjs";

const printer = ts.createPrinter({ removeComments: true, newLine: ts.NewLineKind.LineFeed });
const slashes = (path) => path.replaceAll("\\", "/");
const inProject = slashes(root);
const byName = (a, b) => (a.name < b.name ? -1 : 1);

/**
 * Reads `{ entryPoints, declarations }`. An entry point is `{ name, source, exports }`; an export, sorted by name, is
 * `{ name, text, isDocumented, source, mentions }`: its declaration without comments and private members, and the
 * names of this package that the declaration mentions. `declarations` maps each source file to its declarations.
 * A mention is `{ name, source, isInlined }`; the compiler writes out inlined ones wherever a user's declaration needs them.
 */
export function readPublicApi() {
  const { program, declarations } = declarationProgram();
  const checker = program.getTypeChecker();
  const entryPoints = entryPointSources().map(({ name, source }) => {
    const file = program.getSourceFile(declarationFile(source));
    const symbols = checker.getExportsOfModule(checker.getSymbolAtLocation(file));
    return { name, source, exports: symbols.map((symbol) => describeExport(symbol, checker)).sort(byName) };
  });
  return { entryPoints, declarations };
}

/** The entry points of package.json: `{ name: "troupe/host", source: "src/host/index.ts" }` and so on. */
export function entryPointSources() {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return Object.entries(manifest.exports)
    .filter(([, target]) => typeof target !== "string")
    .map(([path, target]) => ({
      name: path.replace(".", manifest.name),
      source: target["troupe-source"].replace("./", ""),
    }));
}

/** A program over the declarations of src, which it emits to memory. `npm run check` checks the types elsewhere. */
function declarationProgram() {
  const file = join(root, "tsconfig.build.json");
  const { config } = ts.readConfigFile(file, ts.sys.readFile);
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, root, undefined, file);
  Object.assign(options, { noCheck: true, emitDeclarationOnly: true, declarationMap: false, sourceMap: false });
  Object.assign(options, { incremental: false, tsBuildInfoFile: undefined });
  const sources = ts.createProgram(fileNames, options);
  const texts = new Map();
  sources.emit(undefined, (name, text) => texts.set(slashes(name), text));
  const program = ts.createProgram([...texts.keys()], options, hostOf(texts, sources, options));
  return { program, declarations: new Map([...texts].map(([name, text]) => [sourceFile(name), text])) };
}

/** Finds the emitted declarations in memory, and takes the files of libraries from the program that has parsed them. */
function hostOf(texts, sources, options) {
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  const getSourceFile = host.getSourceFile.bind(host);
  // The folders of the declarations need not exist.
  host.directoryExists = () => true;
  host.fileExists = (name) => texts.has(slashes(name)) || fileExists(name);
  host.readFile = (name) => texts.get(slashes(name)) ?? readFile(name);
  host.getSourceFile = (name, languageVersion, ...rest) =>
    sources.getSourceFile(name) ?? getSourceFile(name, languageVersion, ...rest);
  return host;
}

function describeExport(exported, checker) {
  const symbol = originOf(exported, checker);
  const declarations = symbol.declarations.filter((one) => isOwn(one.getSourceFile()));
  const statements = declarations.map(statementOf);
  return {
    name: exported.name,
    source: sourceFile(declarations[0].getSourceFile().fileName),
    text: statements.map(printStatement).join("\n"),
    isDocumented: statements.some((one) => ts.getJSDocCommentsAndTags(one).length > 0),
    mentions: statements.flatMap((one) => mentionsOf(withoutPrivates(one), checker)),
  };
}

function originOf(symbol, checker) {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

function isOwn(file) {
  return slashes(file.fileName).startsWith(`${inProject}/dist/`);
}

/** `const x: string` is a part of the statement that declares it. */
function statementOf(declaration) {
  return ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
}

function printStatement(statement) {
  const text = printer.printNode(ts.EmitHint.Unspecified, withoutPrivates(statement), statement.getSourceFile());
  return text
    .replace(/^(export )?(declare )?/, "")
    .replace(/import\("[^"]*"\)\./g, "")
    .replace(/^( {4})+/gm, (indent) => indent.slice(indent.length / 2));
}

/** A class without its private members, which declarations name and nobody can use. */
function withoutPrivates(statement) {
  if (!ts.isClassDeclaration(statement)) return statement;
  const { modifiers, name, typeParameters, heritageClauses } = statement;
  const members = statement.members.filter((member) => !isPrivate(member));
  return ts.factory.updateClassDeclaration(statement, modifiers, name, typeParameters, heritageClauses, members);
}

function isPrivate(member) {
  const isModified = ts.canHaveModifiers(member) && ts.getModifiers(member)?.some(isPrivateModifier);
  return isModified || (member.name !== undefined && ts.isPrivateIdentifier(member.name));
}

function isPrivateModifier({ kind }) {
  return kind === ts.SyntaxKind.PrivateKeyword;
}

/** The package's own top-level names in a declaration. */
function mentionsOf(node, checker) {
  const found = [];
  const visit = (part) => {
    const used = ts.isIdentifier(part) ? checker.getSymbolAtLocation(part) : undefined;
    const symbol = used && originOf(used, checker);
    const declaration = symbol?.declarations?.[0];
    if (declaration && isOwn(declaration.getSourceFile()) && ts.isSourceFile(statementOf(declaration).parent)) {
      const source = sourceFile(declaration.getSourceFile().fileName);
      found.push({ name: symbol.name, source, isInlined: isInlined(declaration) });
    }
    ts.forEachChild(part, visit);
  };
  ts.forEachChild(node, visit);
  return found;
}

/** Type aliases and brands (unique symbols) that their own file keeps to itself. */
function isInlined(declaration) {
  const statement = statementOf(declaration);
  const isShorthand = ts.isTypeAliasDeclaration(declaration) || ts.isVariableDeclaration(declaration);
  return isShorthand && !ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
}

function declarationFile(source) {
  return `${inProject}/${source.replace(/^src\//, "dist/").replace(/\.ts$/, ".d.ts")}`;
}

function sourceFile(declaration) {
  return slashes(declaration)
    .replace(`${inProject}/dist/`, "src/")
    .replace(/\.d\.ts$/, ".ts");
}
