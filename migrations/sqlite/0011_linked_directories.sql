-- The directory of the server that the files of an acquisition lie in; null when they are uploaded. Nothing is ever
-- written to it or deleted from it.
alter table acquisitions add column directory text;
