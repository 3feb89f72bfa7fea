export type ServiceName = 'redis' | 'nginx' | 'chromium' | 'ffmpeg' | 'spin' | 'gcc' | 'faketime';

export interface Service {
  /** full path of the program */
  bin: string;
  /** what it needs besides the environment: library and font folders */
  env: Record<string, string>;
}

export function provide(name: ServiceName, say?: (line: string) => void): Promise<Service>;
export function provideAll(say?: (line: string) => void): Promise<Record<string, string>>;
