// Templates. Everything in ${} becomes a text node or a property: no string is ever read as HTML.
import htm from 'htm';
import { h } from 'preact';

export const html = htm.bind(h);
