export { Connection, type ConnectionOptions, type Phase, type StreamEvent } from './connection';
export { FinalError } from './snapshot';
export { SharedStream, type Role, type StreamOptions, type StreamStatus } from './shared';
