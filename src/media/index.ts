export interface FileLinks { url: string, thumbUrl: string, expiresAt: string }
export interface MediaService {
  links (workspaceId: string, fileIds: readonly string[]): Promise<Map<string, FileLinks>>
}
