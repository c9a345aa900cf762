/** The structured log is a channel too, for every event: what people are told is on record even where nobody configured a receiver. */
export const LOG_CHANNEL = 'log';
