--
-- PostgreSQL database dump
--

\restrict Example

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: quota_change(); Type: FUNCTION; Schema: public; Owner: postgres
--

CREATE FUNCTION public.quota_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO used_quota (username) VALUES (NEW.username); RETURN NEW; END; $$;


ALTER FUNCTION public.quota_change() OWNER TO postgres;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alias; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.alias (
    address character varying(255) DEFAULT ''::character varying NOT NULL,
    name character varying(255) DEFAULT ''::character varying NOT NULL,
    accesspolicy character varying(30) DEFAULT ''::character varying NOT NULL,
    domain character varying(255) DEFAULT ''::character varying NOT NULL,
    active smallint DEFAULT 1 NOT NULL
);


ALTER TABLE public.alias OWNER TO postgres;

--
-- Name: alias_domain; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.alias_domain (
    alias_domain character varying(255) NOT NULL,
    target_domain character varying(255) NOT NULL,
    active smallint DEFAULT 1 NOT NULL
);


ALTER TABLE public.alias_domain OWNER TO postgres;

--
-- Name: domain; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.domain (
    domain character varying(255) DEFAULT ''::character varying NOT NULL,
    description text,
    aliases bigint DEFAULT 0 NOT NULL,
    mailboxes bigint DEFAULT 0 NOT NULL,
    maxquota bigint DEFAULT 0 NOT NULL,
    settings text,
    backupmx smallint DEFAULT 0 NOT NULL,
    created timestamp without time zone,
    active smallint DEFAULT 1 NOT NULL
);


ALTER TABLE public.domain OWNER TO postgres;

--
-- Name: forwardings; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.forwardings (
    id integer NOT NULL,
    address character varying(255) DEFAULT ''::character varying NOT NULL,
    forwarding character varying(255) DEFAULT ''::character varying NOT NULL,
    domain character varying(255) DEFAULT ''::character varying NOT NULL,
    dest_domain character varying(255) DEFAULT ''::character varying NOT NULL,
    is_maillist smallint DEFAULT 0 NOT NULL,
    is_list smallint DEFAULT 0 NOT NULL,
    is_forwarding smallint DEFAULT 0 NOT NULL,
    is_alias smallint DEFAULT 0 NOT NULL,
    active smallint DEFAULT 1 NOT NULL
);


ALTER TABLE public.forwardings OWNER TO postgres;

--
-- Name: forwardings_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

CREATE SEQUENCE public.forwardings_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.forwardings_id_seq OWNER TO postgres;

--
-- Name: forwardings_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: postgres
--

ALTER SEQUENCE public.forwardings_id_seq OWNED BY public.forwardings.id;


--
-- Name: mailbox; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.mailbox (
    username character varying(255) NOT NULL,
    password character varying(255) DEFAULT ''::character varying NOT NULL,
    name character varying(255) DEFAULT ''::character varying NOT NULL,
    quota bigint DEFAULT 0 NOT NULL,
    domain character varying(255) DEFAULT ''::character varying NOT NULL,
    enablesmtp smallint DEFAULT 1 NOT NULL,
    enableimap smallint DEFAULT 1 NOT NULL,
    enabledeliver smallint DEFAULT 1 NOT NULL,
    "enablelib-storage" smallint DEFAULT 1 NOT NULL,
    allow_nets text,
    settings text,
    active smallint DEFAULT 1 NOT NULL
);


ALTER TABLE public.mailbox OWNER TO postgres;

--
-- Name: maillists; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.maillists (
    id integer NOT NULL,
    address character varying(255) DEFAULT ''::character varying NOT NULL,
    domain character varying(255) DEFAULT ''::character varying NOT NULL
);


ALTER TABLE public.maillists OWNER TO postgres;

--
-- Name: maillists_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

CREATE SEQUENCE public.maillists_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.maillists_id_seq OWNER TO postgres;

--
-- Name: maillists_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: postgres
--

ALTER SEQUENCE public.maillists_id_seq OWNED BY public.maillists.id;


--
-- Name: sender_bcc_user; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.sender_bcc_user (
    username character varying(255) DEFAULT ''::character varying NOT NULL,
    bcc_address character varying(255) DEFAULT ''::character varying NOT NULL,
    domain character varying(255) DEFAULT ''::character varying NOT NULL
);


ALTER TABLE public.sender_bcc_user OWNER TO postgres;

--
-- Name: used_quota; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.used_quota (
    username character varying(255) NOT NULL,
    bytes bigint DEFAULT 0 NOT NULL
);


ALTER TABLE public.used_quota OWNER TO postgres;

--
-- Name: forwardings id; Type: DEFAULT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.forwardings ALTER COLUMN id SET DEFAULT nextval('public.forwardings_id_seq'::regclass);


--
-- Name: maillists id; Type: DEFAULT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.maillists ALTER COLUMN id SET DEFAULT nextval('public.maillists_id_seq'::regclass);


--
-- Data for Name: alias; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.alias VALUES ('sales@one.test', 'Sales', 'public', 'one.test', 1);
INSERT INTO public.alias VALUES ('staff@one.test', '', 'domain', 'one.test', 1);
INSERT INTO public.alias VALUES ('board@one.test', '', 'moderatorsonly', 'one.test', 1);
INSERT INTO public.alias VALUES ('old@one.test', '', 'public', 'one.test', 0);


--
-- Data for Name: alias_domain; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.alias_domain VALUES ('eins.test', 'one.test', 1);
INSERT INTO public.alias_domain VALUES ('uno.test', 'one.test', 0);


--
-- Data for Name: domain; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.domain VALUES ('one.test', 'It''s the first; with (everything)', 100, 20, 10240, 'min_passwd_length:8;max_user_quota:4096;default_user_quota:1024;', 0, NULL, 1);
INSERT INTO public.domain VALUES ('off.test', '', -1, 0, 0, NULL, 0, NULL, 0);
INSERT INTO public.domain VALUES ('far.test', '', 0, 10, 0, '', 1, NULL, 1);
INSERT INTO public.domain VALUES ('two.test', 'a	tab, a \ and
a line', 0, 0, 0, '', 0, NULL, 1);


--
-- Data for Name: forwardings; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.forwardings VALUES (1, 'alice@one.test', 'alice@one.test', 'one.test', 'one.test', 0, 0, 1, 0, 1);
INSERT INTO public.forwardings VALUES (2, 'bob@one.test', 'bob@one.test', 'one.test', 'one.test', 0, 0, 1, 0, 1);
INSERT INTO public.forwardings VALUES (3, 'bob@one.test', 'bob@elsewhere.example.net', 'one.test', 'elsewhere.example.net', 0, 0, 1, 0, 1);
INSERT INTO public.forwardings VALUES (4, 'carol@two.test', 'carol@two.test', 'two.test', 'two.test', 0, 0, 1, 0, 1);
INSERT INTO public.forwardings VALUES (5, 'a.lice@one.test', 'alice@one.test', 'one.test', 'one.test', 0, 0, 0, 1, 1);
INSERT INTO public.forwardings VALUES (6, 'sales@one.test', 'alice@one.test', 'one.test', 'one.test', 0, 1, 0, 0, 1);
INSERT INTO public.forwardings VALUES (7, 'sales@one.test', 'bob@one.test', 'one.test', 'one.test', 0, 1, 0, 0, 1);
INSERT INTO public.forwardings VALUES (8, 'staff@one.test', 'alice@one.test', 'one.test', 'one.test', 0, 1, 0, 0, 1);
INSERT INTO public.forwardings VALUES (9, 'board@one.test', 'alice@one.test', 'one.test', 'one.test', 0, 1, 0, 0, 1);
INSERT INTO public.forwardings VALUES (10, 'old@one.test', 'alice@one.test', 'one.test', 'one.test', 0, 1, 0, 0, 1);
INSERT INTO public.forwardings VALUES (11, 'two.test', 'carol@two.test', 'two.test', 'two.test', 0, 0, 0, 0, 1);
INSERT INTO public.forwardings VALUES (12, 'news@one.test', 'news@one.test', 'one.test', 'one.test', 1, 0, 0, 0, 1);
INSERT INTO public.forwardings VALUES (13, 'info@far.test', 'alice@one.test', 'far.test', 'one.test', 0, 1, 0, 0, 1);


--
-- Data for Name: mailbox; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.mailbox VALUES ('alice@one.test', '{SSHA512}mZdAGnU1QeFDBKYZxToynMfiV6BkU2n8UCw5HWhtpOo/Yvfi9lKVPiziszN1Z9xi2Q5jfBXwvDeN302amo+qTWzIwX8=', 'Alice O''Hara', 1024, 'one.test', 1, 1, 1, 1, NULL, NULL, 1);
INSERT INTO public.mailbox VALUES ('bob@one.test', '{SHA512-CRYPT}$6$rounds=1000$0pLjxRtWTkICtt1n$T7CiiQOAsb3z9xfTqsJk76GtzfiyEnYZ3G.9ETcRKySnceafJg3.sFEhTIBjKGVUB3wmpew5VnMm7f7qJXG9y1', 'Bob "the builder" \ Ŝmith', 0, 'one.test', 1, 1, 1, 1, NULL, NULL, 1);
INSERT INTO public.mailbox VALUES ('carol@two.test', '{BLF-CRYPT}$2y$05$Lea3IrBRmprbCUDTY8UnxOAo.GBGE8QikPQY7i8AFXOt.wTgujA9q', '', 100, 'two.test', 1, 1, 1, 1, '192.0.2.0/24', NULL, 1);
INSERT INTO public.mailbox VALUES ('dave@one.test', '{PLAIN}dave-old', 'Dave', 0, 'one.test', 0, 1, 1, 1, NULL, NULL, 0);
INSERT INTO public.mailbox VALUES ('erin@off.test', '{CRAM-MD5}0000', 'Erin', 0, 'off.test', 1, 1, 1, 1, NULL, NULL, 1);


--
-- Data for Name: maillists; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.maillists VALUES (1, 'news@one.test', 'one.test');


--
-- Data for Name: sender_bcc_user; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.sender_bcc_user VALUES ('bob@one.test', 'alice@one.test', 'one.test');


--
-- Data for Name: used_quota; Type: TABLE DATA; Schema: public; Owner: postgres
--



--
-- Name: forwardings_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.forwardings_id_seq', 13, true);


--
-- Name: maillists_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.maillists_id_seq', 1, true);


--
-- Name: alias_domain alias_domain_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.alias_domain
    ADD CONSTRAINT alias_domain_pkey PRIMARY KEY (alias_domain);


--
-- Name: alias alias_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.alias
    ADD CONSTRAINT alias_pkey PRIMARY KEY (address);


--
-- Name: domain domain_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.domain
    ADD CONSTRAINT domain_pkey PRIMARY KEY (domain);


--
-- Name: forwardings forwardings_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.forwardings
    ADD CONSTRAINT forwardings_pkey PRIMARY KEY (id);


--
-- Name: mailbox mailbox_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.mailbox
    ADD CONSTRAINT mailbox_pkey PRIMARY KEY (username);


--
-- Name: maillists maillists_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.maillists
    ADD CONSTRAINT maillists_pkey PRIMARY KEY (id);


--
-- Name: sender_bcc_user sender_bcc_user_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.sender_bcc_user
    ADD CONSTRAINT sender_bcc_user_pkey PRIMARY KEY (username);


--
-- Name: used_quota used_quota_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.used_quota
    ADD CONSTRAINT used_quota_pkey PRIMARY KEY (username);


--
-- PostgreSQL database dump complete
--

\unrestrict Example

