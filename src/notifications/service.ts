/** Verbs of notifications for routes and workers. */
export interface NotificationsService {
  capturesMails: boolean
}
