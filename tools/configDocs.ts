import { configMarkdown } from '../src/config/template.ts';

// Prints the README's table of the configuration.
console.log(configMarkdown());
