-- What the microscope calls a channel, within its cycle; `name` is the same until a user changes it.
alter table channels add column planned_name text not null default '';
update channels
set planned_name = coalesce(
    (select wavelength
     from experiments
     where experiments.id = channels.experiment_id and experiments.plate_acquisition_mode = 'basic'),
    (select cast(min(cycles.cycle_index) as text)
     from channel_images
     join cycles on cycles.id = channel_images.cycle_id
     where channel_images.channel_id = channels.id) || '_' || wavelength,
    name);
create unique index channels_planned_name on channels (experiment_id, planned_name);

-- How many workers in a row began a job and gave no account of it: their processes died, or they hung.
alter table tasks add column lost bigint not null default 0;
