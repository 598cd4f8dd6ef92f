-- The tables in which Liquibase, the original's migration tool, keeps its history and its lock.

CREATE TABLE databasechangelog (
    id VARCHAR(255) NOT NULL,
    author VARCHAR(255) NOT NULL,
    filename VARCHAR(255) NOT NULL,
    dateexecuted TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    orderexecuted INTEGER NOT NULL,
    exectype VARCHAR(10) NOT NULL,
    md5sum VARCHAR(35),
    description VARCHAR(255),
    comments VARCHAR(255),
    tag VARCHAR(255),
    liquibase VARCHAR(20),
    contexts VARCHAR(255),
    labels VARCHAR(255),
    deployment_id VARCHAR(10)
);
CREATE TABLE databasechangeloglock (
    id INTEGER PRIMARY KEY,
    locked BOOLEAN NOT NULL,
    lockgranted TIMESTAMP WITHOUT TIME ZONE,
    lockedby VARCHAR(255)
);
INSERT INTO databasechangelog (id, author, filename, dateexecuted, orderexecuted, exectype)
    VALUES ('1', 'someone', 'powerauth-java-server/1.9.x/changes.xml', now(), 1, 'EXECUTED');
INSERT INTO databasechangeloglock (id, locked) VALUES (1, FALSE);
