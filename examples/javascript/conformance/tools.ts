import { Ajv, type ValidateFunction } from 'ajv';

/** What a tool takes and gives. */
export interface Tool {
  /** The function of the component, as jco names it. */
  function: string;
  /** Its parameters in order: the input schema's are in the order of the WIT. */
  parameters: string[];
  isInput: ValidateFunction;
  isOutput: ValidateFunction;
}

/** Reads a tool of this name from its two schemas, as text. */
export function tool(name: string, inputSchema: string, outputSchema: string): Tool {
  const input = JSON.parse(inputSchema);
  const compile = (schema: object) => new Ajv({ strict: true, allowUnionTypes: true }).compile(schema);
  return {
    function: name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    parameters: Object.keys(input.properties),
    isInput: compile(input),
    isOutput: compile(JSON.parse(outputSchema)),
  };
}
