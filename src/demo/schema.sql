-- The demo's business: a shop with three warehouses, its web site, and the services behind it.
-- Runs once, in one transaction, on an empty database; seeds one day of history that ends now.

create type order_status as enum ('placed', 'paid', 'packed', 'shipped', 'cancelled');

create table products (
  id integer primary key,
  sku text not null unique,
  name text not null,
  category text not null,
  price numeric(10, 2) not null check (price > 0)
);

create table stock (
  product_id integer not null references products,
  warehouse text not null,
  on_hand integer not null check (on_hand >= 0),
  reorder_at integer not null,
  restocked_at timestamptz not null,
  primary key (product_id, warehouse)
);

create table orders (
  id bigint generated always as identity primary key,
  placed_at timestamptz not null,
  updated_at timestamptz not null,
  region text not null check (region in ('EU', 'US', 'APAC')),
  customer text not null,
  status order_status not null,
  total numeric(12, 2) not null
);

create table order_items (
  order_id bigint not null references orders on delete cascade,
  product_id integer not null references products,
  quantity integer not null check (quantity > 0),
  unit_price numeric(10, 2) not null,
  primary key (order_id, product_id)
);

create table page_views (
  id bigint generated always as identity primary key,
  seen_at timestamptz not null,
  path text not null,
  region text not null,
  device text not null check (device in ('desktop', 'mobile', 'tablet')),
  visitor integer not null,
  load_ms integer not null check (load_ms > 0)
);

create table app_errors (
  id bigint generated always as identity primary key,
  seen_at timestamptz not null,
  service text not null,
  severity text not null check (severity in ('warning', 'error', 'fatal')),
  message text not null
);

create table tickets (
  id bigint generated always as identity primary key,
  opened_at timestamptz not null,
  closed_at timestamptz,
  priority text not null check (priority in ('low', 'normal', 'urgent')),
  subject text not null,
  assignee text
);

create table deployments (
  id bigint generated always as identity primary key,
  service text not null,
  version text not null,
  status text not null check (status in ('rolling out', 'live', 'rolled back')),
  started_at timestamptz not null,
  finished_at timestamptz
);

-- Seeding uses a fixed seed so that two demos start alike.
select setseed(0.42);

insert into products (id, sku, name, category, price)
select i,
       upper(left(category, 2)) || '-' || lpad(i::text, 3, '0'),
       style || ' ' || thing,
       category,
       round((8 + 5 * (i % 9) + base * (1 + (i % 4) * 0.35))::numeric, 2) - 0.05
from (
  select i,
         (array['Oak', 'Linen', 'Copper', 'Slate', 'Harbour', 'Nordic', 'Alpine', 'Studio'])[1 + i % 8] as style,
         things.*
  from generate_series(0, 47) as i
  join lateral (
    select * from (values
      (0, 'Desk Lamp', 'lighting', 39), (1, 'Floor Lamp', 'lighting', 89), (2, 'Mug Set', 'kitchen', 24),
      (3, 'Chef Knife', 'kitchen', 59), (4, 'Wool Throw', 'living', 69), (5, 'Side Table', 'living', 129),
      (6, 'Office Chair', 'office', 219), (7, 'Notebook', 'office', 12), (8, 'Planter', 'garden', 34),
      (9, 'Lantern', 'garden', 29), (10, 'Pillow', 'bedroom', 45), (11, 'Duvet', 'bedroom', 119)
    ) as t (n, thing, category, base)
    where n = (i * 5 + i / 12) % 12
  ) as things on true
) as drawn;

insert into stock (product_id, warehouse, on_hand, reorder_at, restocked_at)
select id, warehouse, 20 + floor(random() * 180)::int, 20 + (id % 4) * 5, now() - random() * interval '3 days'
from products cross join (values ('Hamburg'), ('Reno'), ('Singapore')) as w (warehouse);

-- A third of the day's events lies within the last two hours, so that live charts start full; sqrt() thins out the far end
-- of the rest.
insert into orders (placed_at, updated_at, region, customer, status, total)
select placed_at,
       least(now(), placed_at + interval '5 minutes'),
       (array['EU', 'EU', 'EU', 'EU', 'US', 'US', 'US', 'APAC', 'APAC'])[1 + floor(random() * 9)::int],
       (array['Anna', 'Ben', 'Chloé', 'Dmitri', 'Elif', 'Femi', 'Grace', 'Hiro', 'Inès', 'Jonas', 'Kavya', 'Luis'])[1 + floor(random() * 12)::int]
         || ' ' || chr(65 + floor(random() * 26)::int) || '.',
       case when random() < 0.04 then 'cancelled'
            when placed_at < now() - interval '5 minutes' then 'shipped'
            when placed_at < now() - interval '90 seconds' then 'packed'
            when placed_at < now() - interval '20 seconds' then 'paid'
            else 'placed' end::order_status,
       0
from (
  select now() - case when i % 3 = 0 then interval '2 hours' * random()
                      else interval '2 hours' + interval '22 hours' * (1 - sqrt(random())) end as placed_at
  from generate_series(1, 15000) as i
  order by 1
) as drawn;

insert into order_items (order_id, product_id, quantity, unit_price)
select o.id, p.id, 1 + (o.id * n % 5 = 0)::int + (o.id * n % 11 = 0)::int, p.price
from orders as o
cross join lateral generate_series(1, 1 + (o.id % 3)::int) as n
join products as p on p.id = (o.id * 7 + n * 13 + o.id % (5 + n)) % 48;

update orders as o
set total = sums.total
from (select order_id, sum(quantity * unit_price) as total from order_items group by order_id) as sums
where sums.order_id = o.id;

insert into page_views (seen_at, path, region, device, visitor, load_ms)
select now() - case when i % 3 = 0 then interval '2 hours' * random()
                    else interval '2 hours' + interval '22 hours' * (1 - sqrt(random())) end,
       (array['/', '/', '/', '/search', '/search', '/cart', '/checkout', '/sale', '/lighting', '/kitchen', '/living',
              '/office', '/garden', '/bedroom', '/help', '/stores'])[1 + floor(random() * 16)::int],
       (array['EU', 'EU', 'EU', 'EU', 'US', 'US', 'US', 'APAC', 'APAC'])[1 + floor(random() * 9)::int],
       (array['mobile', 'mobile', 'mobile', 'desktop', 'desktop', 'tablet'])[1 + floor(random() * 6)::int],
       floor(random() * 9000)::int,
       (60 + 240 * random() + 1500 * random() ^ 12)::int
from generate_series(1, 180000) as i
order by 1;

insert into app_errors (seen_at, service, severity, message)
select now() - case when i % 3 = 0 then interval '2 hours' * random()
                    else interval '2 hours' + interval '22 hours' * (1 - sqrt(random())) end,
       service,
       (array['warning', 'warning', 'warning', 'error', 'error', 'fatal'])[1 + floor(random() * 6)::int],
       message
from (
  select i, 1 + floor(random() * 8)::int as n from generate_series(1, 2500) as i
) as drawn
join (values
  (1, 'checkout', 'payment provider answered 502'), (2, 'checkout', 'cart was changed during payment'),
  (3, 'search', 'index is 40 s behind'), (4, 'search', 'query took longer than 2 s'),
  (5, 'catalog', 'image variant is missing'), (6, 'accounts', 'too many failed sign-ins'),
  (7, 'accounts', 'mail was refused by the receiver'), (8, 'shipping', 'carrier did not confirm the label')
) as kinds (kind, service, message) on kind = n
order by 1;

insert into tickets (opened_at, closed_at, priority, subject, assignee)
select opened_at,
       case when i < 140 then least(now(), opened_at + interval '1 hour' * (0.2 + 3 * random())) end,
       (array['low', 'normal', 'normal', 'normal', 'urgent'])[1 + floor(random() * 5)::int],
       (array['Where is my parcel?', 'Wrong item received', 'Refund has not arrived', 'Cannot sign in',
              'Change delivery address', 'Invoice with VAT number', 'Lamp arrived broken', 'Voucher is refused'])[1 + floor(random() * 8)::int],
       (array['Mara', 'Tom', 'Yusuf', 'Lena', null])[1 + floor(random() * 5)::int]
from (
  select now() - interval '24 hours' * (1 - i / 161.0) as opened_at, i from generate_series(1, 160) as i
) as drawn;

insert into deployments (service, version, status, started_at, finished_at)
select (array['checkout', 'search', 'catalog', 'accounts', 'shipping'])[1 + i % 5],
       '4.' || i / 5 || '.' || i % 3,
       case when i % 9 = 4 then 'rolled back' else 'live' end,
       now() - interval '24 hours' * (1 - i / 31.0),
       now() - interval '24 hours' * (1 - i / 31.0) + interval '4 minutes'
from generate_series(1, 30) as i;

create index orders_placed_at on orders (placed_at);
create index orders_open on orders (placed_at) where status in ('placed', 'paid', 'packed');
create index orders_updated_at on orders (updated_at);
create index order_items_product on order_items (product_id);
create index page_views_seen_at on page_views (seen_at);
create index app_errors_seen_at on app_errors (seen_at);
create index tickets_open on tickets (opened_at) where closed_at is null;
create index deployments_started_at on deployments (started_at);

analyze;
