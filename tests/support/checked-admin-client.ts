import { Ajv2020, type AnySchema, type ValidateFunction } from "ajv/dist/2020.js";
import { AdminClient, type AdminParameters, type AskOptions } from "../../src/cli/admin/admin-client.ts";

interface Operation {
  readonly responses: {
    readonly 200: { readonly content: { readonly [type: string]: { readonly schema: AnySchema } } };
  };
}

interface Document {
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
  readonly components: { readonly schemas: { readonly [name: string]: AnySchema } };
}

/** The schemas of one description of an HTTP interface. */
export class DescribedAnswers {
  readonly #document: Document;
  readonly #ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
  readonly #known = new Map<string, ValidateFunction>();

  constructor(document: Document) {
    this.#document = document;
    this.#ajv.addVocabulary(["components"]);
  }

  /** Throws for an answer that is not as the description says. */
  check(method: string, path: string, answer: unknown): void {
    const route = `${method} ${path}`;
    const validate = this.#known.get(route) ?? this.#validatorOf(method, path);
    this.#known.set(route, validate);
    if (validate(answer)) return;
    throw new Error(`${route}: ${this.#ajv.errorsText(validate.errors)} in ${JSON.stringify(answer).slice(0, 1_000)}`);
  }

  #validatorOf(method: string, path: string): ValidateFunction {
    const operation = this.#document.paths[path]?.[method.toLowerCase()];
    if (operation === undefined) throw new Error(`The description has no ${method} ${path}.`);
    const content = operation.responses[200].content["application/json"];
    if (content === undefined) throw new Error(`The answer of ${method} ${path} is no JSON.`);
    // References begin at the root.
    return this.#ajv.compile({ ...Object(content.schema), components: this.#document.components });
  }
}

/** Asks an admin entry, and holds each answer to the description that the entry gives of itself. */
export class CheckedAdminClient extends AdminClient {
  #described: Promise<DescribedAnswers> | undefined;

  override async ask<Answer>(
    method: "GET" | "POST" | "PUT" | "DELETE",
    path: string,
    parameters?: AdminParameters,
    options?: AskOptions,
  ): Promise<Answer> {
    const answer = await super.ask<Answer>(method, path, parameters, options);
    this.#described ??= super.ask<Document>("GET", "/openapi.json").then((document) => new DescribedAnswers(document));
    (await this.#described).check(method, path, answer);
    return answer;
  }
}
